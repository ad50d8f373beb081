import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Writes a heap dump of a given shape and size, to measure readers of heap dumps with.
 *
 * <pre>java -Xmx5g HeapGenerator.java map 3000000 /tmp/map.hprof</pre>
 *
 * Shapes: {@code map}, 22 objects for each entry of a map under a static field, and a list in a
 * thread-local; {@code chain}, a linked list; {@code array}, one array full of references;
 * {@code tiny}, small objects under one map. Every run builds the same objects.
 */
public final class HeapGenerator {
    static final class Session {
        final String user;
        final List<String> attributes = new ArrayList<>(8);
        final long created;

        Session(int number) {
            user = "user-" + number;
            created = number;
            for (int attribute = 0; attribute < 7; attribute++) {
                attributes.add("the value of attribute " + attribute + " of the session with number " + number);
            }
        }
    }

    static final class Link {
        Link next;
        long value;
    }

    static final class Tiny {
        int value;
    }

    static final Map<String, Session> SESSIONS = new ConcurrentHashMap<>();
    static final Map<Tiny, Boolean> TINY = new ConcurrentHashMap<>();
    static final ThreadLocal<List<long[]>> RECENT = ThreadLocal.withInitial(ArrayList::new);
    static Link chain;
    static Object[] array;

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[1]);
        switch (arguments[0]) {
            case "map" -> {
                for (int number = 0; number < count; number++) {
                    SESSIONS.put("session-" + number, new Session(number));
                }
                for (int number = 0; number < count / 100; number++) {
                    RECENT.get().add(new long[4]);
                }
            }
            case "chain" -> {
                for (int number = 0; number < count; number++) {
                    Link link = new Link();
                    link.next = chain;
                    chain = link;
                }
            }
            case "array" -> {
                array = new Object[count];
                for (int number = 0; number < count; number++) {
                    array[number] = new Object();
                }
            }
            case "tiny" -> {
                for (int number = 0; number < count; number++) {
                    TINY.put(new Tiny(), Boolean.TRUE);
                }
            }
            default -> throw new IllegalArgumentException("map, chain, array or tiny");
        }
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
                .dumpHeap(arguments[2], true);
    }
}
