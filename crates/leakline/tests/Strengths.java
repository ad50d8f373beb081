import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.SoftReference;
import java.lang.ref.WeakReference;

/** Holds a different number of mebibytes in each way that the collector knows, and dumps itself. */
public class Strengths {
    static class Finalized {
        final byte[] body = new byte[4 << 20];

        @Override
        @SuppressWarnings("removal")
        protected void finalize() {
            // an empty one is none to the JVM
            body[0] = 1;
        }
    }

    static final ReferenceQueue<Object> queue = new ReferenceQueue<>();
    static Object strong;
    static SoftReference<Object> soft;
    static WeakReference<Object> weak;
    static PhantomReference<Object> phantom;
    static Object garbage;

    public static void main(String[] arguments) throws Exception {
        strong = new byte[32 << 20];
        soft = new SoftReference<>(new byte[1 << 20]);
        weak = new WeakReference<>(new byte[2 << 20]);
        phantom = new PhantomReference<>(new byte[8 << 20], queue);
        new Finalized();
        garbage = new byte[16 << 20];
        garbage = null;
        // everything, dead or alive, as long as the collector has not run
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
            .dumpHeap(arguments[0], false);
    }
}
