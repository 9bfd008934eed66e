"""The GraphQL operations, valid on API versions 2026-07 and 2026-10 (a test validates them).

Only fields that are not deprecated. ``sortKey`` is the field that ``query`` filters by, or large
shops time out; never ``reverse``: a record that changes during the reading then moves towards the
reader, not away from it.
"""

from __future__ import annotations

from collections.abc import Sequence

IDENTIFY = """
query Identify {
  shop { name myshopifyDomain ianaTimezone currencyCode }
  currentAppInstallation { accessScopes { handle } }
}
"""


_CUSTOMER = """
      id createdAt updatedAt firstName lastName locale state tags
      defaultEmailAddress { emailAddress marketingState }
      defaultPhoneNumber { phoneNumber marketingState }
      defaultAddress { city zip provinceCode countryCodeV2 latitude longitude }
"""

# all of an order's shopMoney has one currency: it is asked for once.
# ``refunds`` has no cursor: without ``first`` it is the whole list
_ORDER = """
      id processedAt updatedAt cancelledAt test email displayFinancialStatus sourceName tags
      totalPriceSet { shopMoney { amount currencyCode } }
      totalReceivedSet { shopMoney { amount } }
      totalDiscountsSet { shopMoney { amount } }
      discountCodes
      customer { id }
      shippingAddress { countryCodeV2 provinceCode city }
      refunds {
        id createdAt processedAt
        totalRefundedSet { shopMoney { amount } }
      }
"""

_LINE = """
          id title vendor quantity product { id }
          originalTotalSet { shopMoney { amount } }
          discountedTotalSet(withCodeDiscounts: true) { shopMoney { amount } }
"""
_LINES = f"""
        nodes {{{_LINE}        }}
        pageInfo {{ hasNextPage endCursor }}
"""
_ORDER_AND_LINES = f"{_ORDER}      lineItems(first: $lines) {{{_LINES}      }}\n"

_PRODUCT = """
      id title vendor productType tags updatedAt publishedAt
      priceRangeV2 { minVariantPrice { amount currencyCode } }
"""
_VARIANT = "price compareAtPrice"

MOST_VARIANTS = 10
"""Further ones would cost more than they tell: the lowest price is that of all."""
_PRODUCT_AND_VARIANTS = f"""{_PRODUCT}
      variants(first: {MOST_VARIANTS}, sortKey: POSITION) {{ nodes {{ {_VARIANT} }} }}
"""


def _page(name: str, root: str, node: str, more: str = "") -> str:
    return f"""
query {name}($first: Int!, $after: String, $query: String!{more}) {{
  page: {root}(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{{node}    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""


def _customer(metafields: Sequence[str]) -> str:
    """The fields of a customer; alias ``m<n>`` is the value of ``metafields[n]``, a
    ``NAMESPACE.KEY``."""
    named = (metafield.split(".") for metafield in metafields)
    return _CUSTOMER + "".join(
        f'      m{n}: metafield(namespace: "{namespace}", key: "{key}") {{ value }}\n'
        for n, (namespace, key) in enumerate(named)
    )


def customers(metafields: Sequence[str] = ()) -> str:
    """The reading of customers, page by page."""
    return _page("Customers", "customers", _customer(metafields))


ORDERS = _page("Orders", "orders", _ORDER_AND_LINES, ", $lines: Int!")
PRODUCTS = _page("Products", "products", _PRODUCT_AND_VARIANTS)

ORDER_LINES = f"""
query OrderLines($id: ID!, $after: String) {{
  order(id: $id) {{ lineItems(first: 250, after: $after) {{{_LINES}      }} }}
}}
"""

ORDERS_BY_ID = f"""
query OrdersById($ids: [ID!]!, $lines: Int!) {{
  nodes(ids: $ids) {{ ... on Order {{{_ORDER_AND_LINES}    }} }}
}}
"""
PRODUCTS_BY_ID = f"""
query ProductsById($ids: [ID!]!) {{
  nodes(ids: $ids) {{ ... on Product {{{_PRODUCT_AND_VARIANTS}    }} }}
}}
"""


def bulk_query(stream: str, search: str, metafields: Sequence[str] = ()) -> str:
    """The same fields of everything that ``search`` finds, as a bulk operation may ask for them.

    No variables; connections by ``edges`` and ``node``, a parent with its ``id``, no connection
    inside of a list (none is in ``refunds``), no numbers of rows: all come.
    https://shopify.dev/docs/api/usage/bulk-operations/queries#operation-restrictions
    """
    node = {
        "customers": _customer(metafields),
        "orders": f"{_ORDER}      lineItems {_edges(_LINE)}\n",
        "products": f"{_PRODUCT}      variants {_edges(f'id position {_VARIANT}')}\n",
    }[stream]
    return f'{{ {stream}(query: "{search}", sortKey: UPDATED_AT) {_edges(node)} }}'


def _edges(node: str) -> str:
    return f"{{ edges {{ node {{ {node} }} }} }}"


BULK_RUN = """
mutation RunBulk($query: String!, $grouped: Boolean!) {
  bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status }
    userErrors { field message code }
  }
}
"""

BULK_STATE = """
query BulkState($id: ID!) {
  bulkOperation(id: $id) { id status errorCode objectCount url }
}
"""

BULK_LIST = """
query BulkList {
  bulkOperations(first: 10, sortKey: CREATED_AT, reverse: true) { nodes { id status query } }
}
"""

EXIST = """
query Exist($ids: [ID!]!) { nodes(ids: $ids) { id } }
"""

# the default limit of 10,000 would cap the count
COUNTS = {
    stream: f"query Count($query: String!) {{ counted: {stream}Count(query: $query, limit: null)"
    " { count } }"
    for stream in ("customers", "orders", "products")
}


def tag_mutation(roots: Sequence[str]) -> str:
    """One request for several mutations: alias ``m<n>`` is ``roots[n]`` on ``$id<n>, $tags<n>``.

    ``roots`` are ``tagsAdd`` or ``tagsRemove``: never ``customerUpdate(tags)``, which replaces the
    whole list and so loses what others add at the same time.
    """
    variables = ", ".join(f"$id{n}: ID!, $tags{n}: [String!]!" for n in range(len(roots)))
    fields = "\n".join(
        f"  m{n}: {root}(id: $id{n}, tags: $tags{n}) "
        "{ node { ... on Customer { id tags updatedAt } } userErrors { field message } }"
        for n, root in enumerate(roots)
    )
    return f"mutation Tags({variables}) {{\n{fields}\n}}\n"
