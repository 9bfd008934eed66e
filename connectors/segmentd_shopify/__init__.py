"""Shopify: reads products, customers and orders, and writes customer tags (Admin GraphQL API)."""
