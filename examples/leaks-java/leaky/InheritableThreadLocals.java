import java.util.*;
import java.util.concurrent.*;

/** Every thread of a pool inherits the list of the request that happened to start it. */
public class InheritableThreadLocals {
    static class Item extends Leak.Payload {
        Item(int number) { super(number); }
    }
    static class Request {
        static final InheritableThreadLocal<List<Item>> CURRENT = new InheritableThreadLocal<>();
    }

    public static void main(String[] args) throws Exception {
        for (int thread = 0; thread < 5; thread++) {
            List<Item> items = new ArrayList<>();
            for (int i = 0; i < 800; i++) items.add(new Item(i));
            Request.CURRENT.set(items);
            Thread worker = new Thread(Leak::park, "worker-" + thread);
            worker.setDaemon(true);
            worker.start();
        }
        Request.CURRENT.remove();
        Leak.sleep(50);
        Leak.dump();
    }
}
