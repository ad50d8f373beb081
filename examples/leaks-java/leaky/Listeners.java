import java.util.*;
import java.util.concurrent.*;

/** Dialogs register with a bus and never leave it. */
public class Listeners {
    interface Listener { void changed(String topic); }
    static class Dialog implements Listener {
        final byte[] pixels = new byte[15_000];
        public void changed(String topic) {}
    }
    static class EventBus {
        private final List<Listener> listeners = new CopyOnWriteArrayList<>();
        void register(Listener listener) { listeners.add(listener); }
    }
    static final EventBus BUS = new EventBus();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 300; i++) BUS.register(new Dialog());
        Leak.dump();
    }
}
