import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.locks.LockSupport;

/** What the programs share: payload, and the dump that each takes of itself. */
public final class Leak {
    /** Something to leak: 1,024 bytes of body and what an object takes. */
    public static class Payload {
        final byte[] body = new byte[1008];
        final int number;

        public Payload(int number) {
            this.number = number;
        }
    }

    /**
     * Writes the heap to the file that the property {@code dump} names, garbage included if
     * {@code all} is set; then ends the program, whatever threads it has.
     */
    public static void dump() throws Exception {
        for (int i = 0; i < 1000; i++) {
            garbage = new Payload(i);
        }
        garbage = null;
        HotSpotDiagnosticMXBean diagnostics =
                ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        diagnostics.dumpHeap(System.getProperty("dump"), !Boolean.getBoolean("all"));
        Runtime.getRuntime().halt(0);
    }

    private static volatile Object garbage;

    /** What a thread does that waits for ever. */
    public static void park() {
        while (true) {
            LockSupport.park();
        }
    }

    public static void sleep(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private Leak() {}
}
