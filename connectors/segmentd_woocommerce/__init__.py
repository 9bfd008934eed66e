"""WooCommerce: reads products, customers and orders, and writes customer meta (REST API wc/v3)."""
