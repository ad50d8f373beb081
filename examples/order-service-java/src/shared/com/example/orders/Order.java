package com.example.orders;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.List;

/** An accepted order together with the JSON that answers every request for it. */
record Order(long id, String customer, List<OrderLine> lines, BigDecimal total, Instant placedAt, byte[] response) {

    static Order place(long id, OrderRequest request) {
        BigDecimal total = request.lines().stream().map(OrderLine::total).reduce(BigDecimal.ZERO, BigDecimal::add);
        Instant placedAt = Instant.now();
        String json = """
                {"id":%s,"customer":"%s","placedAt":"%s","total":"%s","lines":[%s]}"""
                .formatted(id, request.customer(), placedAt, total,
                        request.lines().stream().map(OrderLine::toJson).collect(joining(",")));
        return new Order(id, request.customer(), request.lines(), total, placedAt, json.getBytes(UTF_8));
    }
}
