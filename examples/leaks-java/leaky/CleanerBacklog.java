import java.lang.ref.Cleaner;

/** One cleaning action hangs, and all others wait behind it. */
public class CleanerBacklog {
    static final Cleaner CLEANER = Cleaner.create();
    static class State extends Leak.Payload implements Runnable {
        State(int number) { super(number); }
        public void run() { Leak.park(); }
    }
    static class Resource {
        Resource(State state) { CLEANER.register(this, state); }
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) new Resource(new State(i));
        System.gc();
        Leak.sleep(200);
        Leak.dump();
    }
}
