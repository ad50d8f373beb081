import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Constructor;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * A process in which places change in every manner, and some leak. It dumps itself after each of
 * a number of steps.
 *
 * <pre>
 * javac -d classes Growth.java
 * java -cp classes Growth 5 /tmp/growth    writes /tmp/growth-1.hprof to /tmp/growth-5.hprof
 * </pre>
 *
 * In each step {@code leak} gains the same number of orders, and {@code spread} the same number of
 * events of thirty classes; {@code cache} and {@code recent} are full after two steps;
 * {@code open} follows the load; {@code table} is loaded once and is larger than all else;
 * {@code nightly} grows in every other step; {@code deployments} keeps the class loader of a
 * plugin that is deployed anew in each step. Nothing depends on time or chance.
 */
public final class Growth {
    record Order(int number, byte[] content) {}

    record Page(String url, byte[] content) {}

    record Request(int number, byte[] body) {}

    record Country(String name, long[] codes) {}

    record Report(int day, byte[] content) {}

    /** Evicts its eldest page, as caches of the JDK's own means do. */
    static final class PageCache extends LinkedHashMap<String, Page> {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Page> eldest) {
            return size() > CACHED;
        }
    }

    /** Loads {@link Plugin} anew, as an application server does when it deploys. */
    static final class PluginLoader extends URLClassLoader {
        PluginLoader(URL[] classes) {
            super(classes, Growth.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            return name.equals(Plugin.class.getName()) ? findClass(name) : super.loadClass(name, resolve);
        }
    }

    static final class Plugin {
        static final List<byte[]> SETTINGS = new ArrayList<>();

        Plugin() {
            for (int number = 0; number < 20; number++) {
                SETTINGS.add(new byte[2_000]);
            }
        }
    }

    static final int CACHED = 6_000;
    private static final int[] LOAD = {600, 3_500, 150, 2_800, 1_500};

    static class Event {
        final byte[] content = new byte[200];
    }

    static final class Event1 extends Event {}
    static final class Event2 extends Event {}
    static final class Event3 extends Event {}
    static final class Event4 extends Event {}
    static final class Event5 extends Event {}
    static final class Event6 extends Event {}
    static final class Event7 extends Event {}
    static final class Event8 extends Event {}
    static final class Event9 extends Event {}
    static final class Event10 extends Event {}
    static final class Event11 extends Event {}
    static final class Event12 extends Event {}
    static final class Event13 extends Event {}
    static final class Event14 extends Event {}
    static final class Event15 extends Event {}
    static final class Event16 extends Event {}
    static final class Event17 extends Event {}
    static final class Event18 extends Event {}
    static final class Event19 extends Event {}
    static final class Event20 extends Event {}
    static final class Event21 extends Event {}
    static final class Event22 extends Event {}
    static final class Event23 extends Event {}
    static final class Event24 extends Event {}
    static final class Event25 extends Event {}
    static final class Event26 extends Event {}
    static final class Event27 extends Event {}
    static final class Event28 extends Event {}
    static final class Event29 extends Event {}
    static final class Event30 extends Event {}

    static final Map<Integer, Order> leak = new ConcurrentHashMap<>();
    static final List<Object> spread = new ArrayList<>();
    static final Map<String, Page> cache = new HashMap<>();
    static final Map<String, Page> recent = new PageCache();
    static final Queue<Request> open = new ConcurrentLinkedQueue<>();
    static final Map<String, Country> table = new HashMap<>();
    static final List<Report> nightly = new ArrayList<>();
    static final List<Object> deployments = new ArrayList<>();

    private static void step(int number) throws Exception {
        for (int i = 0; i < 2_000; i++) {
            int order = number * 2_000 + i;
            leak.put(order, new Order(order, new byte[200]));
        }
        for (int i = 0; i < 1_200; i++) {
            Class<?> event = Class.forName("Growth$Event" + (1 + i % 30));
            Constructor<?> constructor = event.getDeclaredConstructor();
            spread.add(constructor.newInstance());
        }
        for (int i = 0; i < 4_000; i++) {
            String url = "/page/" + (number * 4_000 + i);
            recent.put(url, new Page(url, new byte[300]));
            if (cache.size() < CACHED) {
                cache.put(url, new Page(url, new byte[300]));
            }
        }
        open.clear();
        for (int i = 0; i < LOAD[number % LOAD.length]; i++) {
            open.add(new Request(i, new byte[400]));
        }
        if (number % 2 == 1) {
            for (int i = 0; i < 1_500; i++) {
                nightly.add(new Report(number, new byte[200]));
            }
        }
        URL classes = Growth.class.getProtectionDomain().getCodeSource().getLocation();
        Class<?> plugin = new PluginLoader(new URL[] {classes}).loadClass(Plugin.class.getName());
        Constructor<?> constructor = plugin.getDeclaredConstructor();
        constructor.setAccessible(true);
        deployments.add(constructor.newInstance());
    }

    public static void main(String[] arguments) throws Exception {
        int steps = Integer.parseInt(arguments[0]);
        for (int i = 0; i < 30_000; i++) {
            table.put("country " + i, new Country("country " + i, new long[40]));
        }
        HotSpotDiagnosticMXBean diagnostics =
                ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        for (int number = 0; number < steps; number++) {
            step(number);
            diagnostics.dumpHeap(arguments[1] + "-" + (number + 1) + ".hprof", true);
        }
    }
}
