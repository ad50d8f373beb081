import java.util.*;
import java.util.concurrent.*;

/** Events by user by tenant: no single list is large. */
public class NestedMaps {
    static class Event extends Leak.Payload {
        Event(int number) { super(number); }
    }
    static final Map<String, Map<String, List<Event>>> EVENTS = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4500; i++) {
            EVENTS.computeIfAbsent("tenant-" + i % 15, key -> new HashMap<>())
                    .computeIfAbsent("user-" + i % 300, key -> new ArrayList<>())
                    .add(new Event(i));
        }
        Leak.dump();
    }
}
