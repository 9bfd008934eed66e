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

CUSTOMERS = """
query Customers($first: Int!, $after: String, $query: String!) {
  page: customers(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes {
      id createdAt updatedAt firstName lastName locale state tags
      defaultEmailAddress { emailAddress marketingState }
      defaultPhoneNumber { phoneNumber marketingState }
      defaultAddress { city provinceCode countryCodeV2 }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

_LINES = """
        nodes {
          id title sku vendor quantity isGiftCard
          discountedTotalSet(withCodeDiscounts: true) { shopMoney { amount currencyCode } }
          product { id } variant { id }
        }
        pageInfo { hasNextPage endCursor }
"""

# ``refunds`` has no cursor: without ``first`` it is the whole list
ORDERS = f"""
query Orders($first: Int!, $after: String, $query: String!, $lines: Int!) {{
  page: orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{
      id processedAt updatedAt cancelledAt test email displayFinancialStatus sourceName tags
      totalPriceSet {{ shopMoney {{ amount currencyCode }} }}
      totalReceivedSet {{ shopMoney {{ amount currencyCode }} }}
      totalDiscountsSet {{ shopMoney {{ amount currencyCode }} }}
      discountCodes
      customer {{ id }}
      shippingAddress {{ countryCodeV2 provinceCode city }}
      refunds {{
        id createdAt processedAt
        totalRefundedSet {{ shopMoney {{ amount currencyCode }} }}
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

PRODUCTS = """
query Products($first: Int!, $after: String, $query: String!) {
  page: products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { id title vendor productType tags updatedAt }
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

READS = (IDENTIFY, CUSTOMERS, ORDERS, ORDER_LINES, PRODUCTS, EXIST, *COUNTS.values())
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
