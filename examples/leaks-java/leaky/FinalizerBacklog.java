/** Finalizers that take too long. */
public class FinalizerBacklog {
    static class Connection extends Leak.Payload {
        Connection(int number) { super(number); }
        @Override
        @SuppressWarnings({"deprecation", "removal"})
        protected void finalize() { Leak.park(); }
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) new Connection(i);
        System.gc();
        Leak.sleep(200);
        Leak.dump();
    }
}
