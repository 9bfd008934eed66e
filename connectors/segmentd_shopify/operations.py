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


def customers(metafields: Sequence[str] = ()) -> str:
    """The reading of customers; alias ``m<n>`` is the value of ``metafields[n]``, a
    ``NAMESPACE.KEY``."""
    named = (metafield.split(".") for metafield in metafields)
    fields = "".join(
        f'\n      m{n}: metafield(namespace: "{namespace}", key: "{key}") {{ value }}'
        for n, (namespace, key) in enumerate(named)
    )
    return _CUSTOMERS.replace("METAFIELDS", fields)


_CUSTOMERS = """
query Customers($first: Int!, $after: String, $query: String!) {
  page: customers(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes {
      id createdAt updatedAt firstName lastName locale state tags
      defaultEmailAddress { emailAddress marketingState }
      defaultPhoneNumber { phoneNumber marketingState }
      defaultAddress { city zip provinceCode countryCodeV2 latitude longitude }METAFIELDS
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

_LINES = """
        nodes {
          id title vendor quantity product { id }
          originalTotalSet { shopMoney { amount } }
          discountedTotalSet(withCodeDiscounts: true) { shopMoney { amount } }
        }
        pageInfo { hasNextPage endCursor }
"""

# all of an order's shopMoney has one currency: it is asked for once.
# ``refunds`` has no cursor: without ``first`` it is the whole list
ORDERS = f"""
query Orders($first: Int!, $after: String, $query: String!, $lines: Int!) {{
  page: orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{
      id processedAt updatedAt cancelledAt test email displayFinancialStatus sourceName tags
      totalPriceSet {{ shopMoney {{ amount currencyCode }} }}
      totalReceivedSet {{ shopMoney {{ amount }} }}
      totalDiscountsSet {{ shopMoney {{ amount }} }}
      discountCodes
      customer {{ id }}
      shippingAddress {{ countryCodeV2 provinceCode city }}
      refunds {{
        id createdAt processedAt
        totalRefundedSet {{ shopMoney {{ amount }} }}
      }}
      lineItems(first: $lines) {{{_LINES}      }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""

ORDER_LINES = f"""
query OrderLines($id: ID!, $after: String) {{
  order(id: $id) {{ lineItems(first: 250, after: $after) {{{_LINES}      }} }}
}}
"""

# further variants would cost more than they tell: the lowest price is that of all
PRODUCTS = """
query Products($first: Int!, $after: String, $query: String!) {
  page: products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes {
      id title vendor productType tags updatedAt publishedAt
      priceRangeV2 { minVariantPrice { amount currencyCode } }
      variants(first: 10) { nodes { price compareAtPrice } }
    }
    pageInfo { hasNextPage endCursor }
  }
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

READS = (IDENTIFY, customers(), ORDERS, ORDER_LINES, PRODUCTS, EXIST, *COUNTS.values())
"""Every reading operation; the tags mutation is made by ``tag_mutation``."""


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
