package com.example.orders;

import java.math.BigDecimal;

/** How many of which product. */
record OrderLine(Product product, int quantity) {

    BigDecimal total() {
        return product.price.multiply(BigDecimal.valueOf(quantity));
    }

    String toJson() {
        return """
                {"sku":"%s","title":"%s","description":"%s","image":"%s","quantity":%s,"price":"%s","total":"%s"}"""
                .formatted(product, product.title, product.description, product.image(), quantity, product.price,
                        total());
    }
}
