import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.lang.ref.*;
import java.util.*;
import java.util.concurrent.*;
import javax.management.ObjectName;

/**
 * Makes objects of many shapes, prints the JVM's own class histogram, and dumps its heap at the same
 * moment to the file named.
 */
public class Shapes {
    static class B1 { byte b; }
    static class B2 extends B1 { long l; }
    static class B3 extends B2 { byte c; int i; }
    static class B4 extends B3 { short s; Object o; }
    static class R1 { Object a; }
    static class R2 extends R1 { boolean z; Object b; }
    static class R3 extends R2 { double d; char c; Object e; }
    static class Big { long a, b, c, d, e, f, g; byte h; }
    static class MyThread extends Thread { int x; }
    static class MyLoader extends ClassLoader { long y; }
    static class MyRef extends WeakReference<Object> { int q; MyRef(Object o) { super(o); } }
    static class Fin { byte[] x = new byte[10]; protected void finalize() { } }
    enum E { A, B, C }
    record Rec(int a, String s, long l) { }
    static final List<Object> all = new ArrayList<>();
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 2000; i++) {
            Object[] objects = { new B1(), new B2(), new B3(), new B4(), new R1(), new R2(), new R3(), new Big(),
                new Rec(i, "s" + i, i), new MyRef(all), new SoftReference<>(all), new Fin(),
                new boolean[i % 9], new byte[i % 17], new short[i % 9], new char[i % 7], new int[i % 11],
                new long[i % 5], new float[i % 5], new double[i % 4], new Object[i % 13], new String[i % 3],
                new int[i % 3][], new HashMap<>(Map.of(i, i)), new ConcurrentHashMap<>(Map.of(i, "x")),
                new ArrayDeque<>(), new LinkedList<>(List.of(1)), (long) i + 1000, (double) i, (short) i, Optional.of(i) };
            all.add(objects);
        }
        for (int i = 0; i < 20; i++) all.add(new MyLoader());
        for (int i = 0; i < 20; i++) { MyThread t = new MyThread(); t.setDaemon(true); all.add(t); }
        try {
            var method = Thread.class.getMethod("startVirtualThread", Runnable.class);
            for (int i = 0; i < 50; i++) all.add(method.invoke(null, (Runnable) () -> {
                try { new Semaphore(0).acquire(); } catch (InterruptedException e) { } }));
        } catch (NoSuchMethodException e) { }
        // what the command itself loads must be there before
        histogram();
        Thread.sleep(500);
        String histogram = histogram();
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(args[0], true);
        System.out.println(histogram);
        System.exit(0);
    }

    static String histogram() throws Exception {
        return (String) ManagementFactory.getPlatformMBeanServer().invoke(
            new ObjectName("com.sun.management:type=DiagnosticCommand"), "gcClassHistogram",
            new Object[] {new String[0]}, new String[] {String[].class.getName()});
    }
}
