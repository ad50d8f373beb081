import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.*;
import java.util.concurrent.*;
import java.util.logging.*;

/** A small server between requests: configuration, routes, pools, a few sessions. */
public class IdleServer {
    static final Properties CONFIGURATION = new Properties();
    static final Logger LOG = Logger.getLogger("server");
    private final Map<String, Runnable> routes = new HashMap<>();
    private final Map<String, Object> sessions = new ConcurrentHashMap<>();
    private final ScheduledExecutorService timers = Executors.newScheduledThreadPool(2);

    void start() throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(20));
        for (int i = 0; i < 200; i++) {
            int number = i;
            routes.put("/api/resource-" + i, () -> LOG.info("route " + number));
            server.createContext("/api/resource-" + i, exchange -> exchange.close());
        }
        for (int i = 0; i < 30; i++) sessions.put(UUID.randomUUID().toString(), new HashMap<>(Map.of("user", i)));
        for (int i = 0; i < 10; i++) timers.scheduleAtFixedRate(() -> {}, 1, 1, TimeUnit.HOURS);
        for (int i = 0; i < 2000; i++) CONFIGURATION.setProperty("module." + i % 40 + ".setting." + i, "value of " + i);
        server.start();
    }

    static IdleServer instance;

    public static void main(String[] args) throws Exception {
        instance = new IdleServer();
        instance.start();
        Leak.sleep(100);
        Leak.dump();
    }
}
