package com.example.orders;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLDecoder;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** A validated order, as a customer asks for it. */
record OrderRequest(String customer, List<OrderLine> lines) {

    /** Free of quotes and control characters, so the name can stand in JSON as it is. */
    private static final Pattern CUSTOMER = Pattern.compile("[\\p{L}\\p{N} .'-]{1,60}");
    private static final int MAX_LINES = 50;
    private static final int MAX_QUANTITY = 1_000;

    /**
     * Reads a form such as {@code customer=Ada&line=keyboard:2&line=mouse:1}.
     *
     * @throws IllegalArgumentException with a message for the client, if the form is not an order
     */
    static OrderRequest parse(String form) {
        String customer = "";
        var lines = new ArrayList<OrderLine>();
        for (String field : form.split("&")) {
            String[] nameAndValue = field.split("=", 2);
            String value = nameAndValue.length == 2 ? decode(nameAndValue[1]) : "";
            switch (nameAndValue[0]) {
                case "customer" -> customer = value;
                case "line" -> lines.add(parseLine(value));
                default -> throw new IllegalArgumentException("only the fields customer and line are known");
            }
        }
        if (!CUSTOMER.matcher(customer).matches()) {
            throw new IllegalArgumentException("customer must be a name of 1 to 60 letters");
        }
        if (lines.isEmpty() || lines.size() > MAX_LINES) {
            throw new IllegalArgumentException("an order has 1 to " + MAX_LINES + " lines");
        }
        return new OrderRequest(customer, List.copyOf(lines));
    }

    private static String decode(String value) {
        try {
            return URLDecoder.decode(value, UTF_8);
        } catch (IllegalArgumentException badEscape) {
            throw new IllegalArgumentException("the body is not a form: bad percent escape");
        }
    }

    private static OrderLine parseLine(String line) {
        String[] skuAndQuantity = line.split(":", 2);
        Product product;
        int quantity;
        try {
            product = Product.valueOf(skuAndQuantity[0].toUpperCase(Locale.ROOT));
            quantity = skuAndQuantity.length == 2 ? Integer.parseInt(skuAndQuantity[1]) : 1;
        } catch (IllegalArgumentException unknownProductOrNotANumber) {
            throw new IllegalArgumentException("a line is product:quantity, such as keyboard:2");
        }
        if (quantity < 1 || quantity > MAX_QUANTITY) {
            throw new IllegalArgumentException("a quantity is 1 to " + MAX_QUANTITY);
        }
        return new OrderLine(product, quantity);
    }
}
