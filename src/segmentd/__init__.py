"""Customer segmentation daemon for Shopify and WooCommerce shops: pull, segment, push."""

__version__ = "0.1.0"
