package com.example.orders;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;

/**
 * An HTTP order service.
 *
 * <p>{@code POST /orders} places an order, {@code GET /orders} lists the newest, {@code GET /orders/ID} answers one,
 * {@code GET /health} says that the service is up.
 */
public final class OrderService {

    private static final int THREADS = 8;
    private static final int MAX_REQUEST_BYTES = 16 * 1024;

    private final OrderController controller = new OrderController();

    /** Listens on loopback at the port given as the argument or in {@code PORT}; 0 lets the system choose. */
    public static void main(String[] args) throws IOException {
        String port = args.length > 0 ? args[0] : System.getenv().getOrDefault("PORT", "8080");

        // Without this, an answer on a kept-alive connection waits 40 ms for the client's delayed ACK.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(port));
        var server = HttpServer.create(address, 0);
        var service = new OrderService();
        server.createContext("/orders", service::handleOrders);
        server.createContext("/health", service::handleHealth);
        server.setExecutor(Executors.newFixedThreadPool(THREADS));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(1)));
        server.start();

        String version = OrderService.class.getPackage().getImplementationVersion();
        int boundPort = server.getAddress().getPort();
        System.out.println("order-service " + version + " listening on http://127.0.0.1:" + boundPort);
    }

    private void handleOrders(HttpExchange exchange) throws IOException {
        try (exchange) {
            String method = exchange.getRequestMethod();
            String id = exchange.getRequestURI().getPath().substring("/orders".length());
            if (id.isEmpty() || id.equals("/")) {
                switch (method) {
                    case "POST" -> placeOrder(exchange);
                    case "GET" -> respond(exchange, 200, array(controller.listOrders()));
                    default -> respondMethodNotAllowed(exchange, "GET, POST");
                }
            } else if (method.equals("GET")) {
                answerOrder(exchange, id);
            } else {
                respondMethodNotAllowed(exchange, "GET");
            }
        }
    }

    private void placeOrder(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readNBytes(MAX_REQUEST_BYTES + 1);
        if (body.length > MAX_REQUEST_BYTES) {
            respondError(exchange, 413, "an order is at most " + MAX_REQUEST_BYTES + " bytes");
            return;
        }
        OrderRequest request;
        try {
            request = OrderRequest.parse(new String(body, UTF_8));
        } catch (IllegalArgumentException notAnOrder) {
            respondError(exchange, 400, notAnOrder.getMessage());
            return;
        }
        Order order = controller.processOrder(request);
        exchange.getResponseHeaders().set("Location", "/orders/" + order.id());
        respond(exchange, 201, order.response());
    }

    private void answerOrder(HttpExchange exchange, String id) throws IOException {
        Optional<Order> order = Optional.empty();
        if (id.matches("/[1-9][0-9]{0,17}")) {
            order = controller.getOrder(Long.parseLong(id.substring(1)));
        }
        if (order.isPresent()) {
            respond(exchange, 200, order.get().response());
        } else {
            respondError(exchange, 404, "no such order");
        }
    }

    private void handleHealth(HttpExchange exchange) throws IOException {
        try (exchange) {
            if (!exchange.getRequestURI().getPath().equals("/health")) {
                respondError(exchange, 404, "no such page");
            } else if (exchange.getRequestMethod().equals("GET")) {
                respond(exchange, 200, controller.health().getBytes(UTF_8));
            } else {
                respondMethodNotAllowed(exchange, "GET");
            }
        }
    }

    private static byte[] array(List<Order> orders) {
        var json = new ByteArrayOutputStream();
        json.write('[');
        for (Order order : orders) {
            if (json.size() > 1) {
                json.write(',');
            }
            json.writeBytes(order.response());
        }
        json.write(']');
        return json.toByteArray();
    }

    private static void respondMethodNotAllowed(HttpExchange exchange, String allowed) throws IOException {
        exchange.getResponseHeaders().set("Allow", allowed);
        respondError(exchange, 405, "allowed are " + allowed);
    }

    private static void respondError(HttpExchange exchange, int status, String message) throws IOException {
        respond(exchange, status, "{\"error\":\"%s\"}".formatted(message).getBytes(UTF_8));
    }

    private static void respond(HttpExchange exchange, int status, byte[] json) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, json.length);
        exchange.getResponseBody().write(json);
    }
}
