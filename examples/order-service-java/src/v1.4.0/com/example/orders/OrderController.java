package com.example.orders;

import io.opentelemetry.instrumentation.annotations.WithSpan;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;

/** The operations of the service; each is a span of its own. */
final class OrderController {

    private static final int LISTED_ORDERS = 20;

    /** The newest responses by order id. */
    private static final Map<Long, Order> responseCache = Collections.synchronizedMap(new BoundedCache<>(200));

    private final AtomicLong lastId = new AtomicLong();

    @WithSpan("process.order")
    Order processOrder(OrderRequest request) {
        Order order = Order.place(lastId.incrementAndGet(), request);
        responseCache.put(order.id(), order);
        return order;
    }

    /** The newest orders, newest first. */
    @WithSpan("list.orders")
    List<Order> listOrders() {
        long newest = lastId.get();
        return LongStream.range(0, LISTED_ORDERS)
                .mapToObj(age -> responseCache.get(newest - age))
                .filter(Objects::nonNull)
                .toList();
    }

    @WithSpan("get.order")
    Optional<Order> getOrder(long id) {
        return Optional.ofNullable(responseCache.get(id));
    }

    @WithSpan("health")
    String health() {
        return """
                {"status":"up"}""";
    }
}
