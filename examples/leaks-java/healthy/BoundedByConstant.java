import java.util.*;

/** The last events, as many as a constant says. */
public class BoundedByConstant {
    static class Event extends Leak.Payload {
        Event(int number) { super(number); }
    }
    static class RecentEvents {
        private static final int CAPACITY = 2000;
        private final Deque<Event> events = new ArrayDeque<>();
        void add(Event event) {
            if (events.size() == CAPACITY) events.removeFirst();
            events.addLast(event);
        }
    }
    static final RecentEvents RECENT = new RecentEvents();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 5000; i++) RECENT.add(new Event(i));
        Leak.dump();
    }
}
