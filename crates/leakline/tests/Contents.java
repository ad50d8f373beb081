import com.sun.management.HotSpotDiagnosticMXBean;
import java.io.ByteArrayOutputStream;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.Deflater;

/**
 * Keeps native memory and wastes heap in known amounts, and dumps itself: every field of this
 * class holds exactly what its comment says.
 */
public class Contents {
    /** 80 MiB of native memory, and not the slices and views of it. */
    static final List<ByteBuffer> buffers = new ArrayList<>();
    static final List<ByteBuffer> slices = new ArrayList<>();
    /** Nothing: it is freed, though the buffer says it has 16 MiB. */
    static ByteBuffer freed;
    /** A file of 24 MiB, mapped. */
    static MappedByteBuffer mapped;
    /** 40 MiB in 10 allocations from JDK 22 on, otherwise null. */
    static Object arena;
    /** 20 streams that were not ended; 5 that were. */
    static final List<Deflater> open = new ArrayList<>();
    static final List<Deflater> ended = new ArrayList<>();

    static final class Customer {
        /** 20,000 strings of 10 texts: 19,990 duplicates. */
        String country;
        /** 20,000 strings that share one array: only the strings are duplicates, all but one. */
        String shared;
        /** 20,000 different texts. */
        String name;
        /** 20,000 boxed values that the JDK does not cache. */
        Double balance;
        /** 20,000 that it caches. */
        Integer small;
        /** 20,000 maps from which everything was removed. */
        final Map<String, String> tags = new HashMap<>();
        /** 20,000 lists with room for 100 and one element. */
        final List<Object> orders = new ArrayList<>(100);
    }

    static final List<Customer> customers = new ArrayList<>();
    /** 5,000 arrays of the same 100 numbers. */
    static final List<int[]> tables = new ArrayList<>();
    /** 500 pages of 8 KiB of zeros. */
    static final List<byte[]> pages = new ArrayList<>();
    /** 500 arrays with 1,000 slots, 10 of them used. */
    static final List<Object[]> sparse = new ArrayList<>();
    /** 100,000 boxed values. */
    static final List<Long> numbers = new ArrayList<>();
    /** 500 with room for 10,000 Latin-1 characters, and 10 in it. */
    static final List<StringBuilder> builders = new ArrayList<>();
    /** 500 with room for 10,000 bytes, and 10 in it. */
    static final List<ByteArrayOutputStream> streams = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        nativeMemory(arguments[0] + ".mapped");
        customers();
        arrays();
        Thread thread = new Thread(Contents::deadThreadLocals, "pool-1-thread-7");
        thread.setDaemon(true);
        synchronized (Contents.class) {
            thread.start();
            Contents.class.wait();
        }
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
                .dumpHeap(arguments[0], true);
        System.exit(0);
    }

    static void nativeMemory(String file) throws Exception {
        for (int i = 0; i < 80; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
            buffers.add(buffer);
            slices.add(buffer.slice());
            slices.add(buffer.asReadOnlyBuffer());
        }
        freed = ByteBuffer.allocateDirect(16 << 20);
        Class<?> unsafe = Class.forName("sun.misc.Unsafe");
        var instance = unsafe.getDeclaredField("theUnsafe");
        instance.setAccessible(true);
        unsafe.getMethod("invokeCleaner", ByteBuffer.class).invoke(instance.get(null), freed);
        try (RandomAccessFile opened = new RandomAccessFile(file, "rw")) {
            mapped = opened.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, 24 << 20);
        }
        if (Runtime.version().feature() >= 22) {
            Class<?> type = Class.forName("java.lang.foreign.Arena");
            arena = type.getMethod("ofShared").invoke(null);
            Method allocate = type.getMethod("allocate", long.class);
            for (int i = 0; i < 10; i++) {
                allocate.invoke(arena, 4L << 20);
            }
        }
        for (int i = 0; i < 25; i++) {
            Deflater deflater = new Deflater();
            if (i < 20) {
                open.add(deflater);
            } else {
                deflater.end();
                ended.add(deflater);
            }
        }
    }

    static void customers() {
        String shared = "a text that all customers have, in one array";
        for (int i = 0; i < 20_000; i++) {
            Customer customer = new Customer();
            customer.country = new String(("the country with the number " + i % 10).toCharArray());
            customer.shared = new String(shared);
            customer.name = "the customer with the number " + i;
            customer.balance = i + 0.5;
            customer.small = i % 100;
            customer.tags.put("a", "b");
            customer.tags.clear();
            customer.orders.add(customer);
            customers.add(customer);
        }
    }

    static void arrays() {
        for (int i = 0; i < 5_000; i++) {
            int[] table = new int[100];
            java.util.Arrays.setAll(table, number -> number + 1);
            tables.add(table);
        }
        for (long i = 0; i < 100_000; i++) {
            numbers.add(1_000_000 + i);
        }
        for (int i = 0; i < 500; i++) {
            pages.add(new byte[8192]);
            Object[] array = new Object[1_000];
            java.util.Arrays.fill(array, 0, 10, Contents.class);
            sparse.add(array);
            builders.add(new StringBuilder(10_000).append("0123456789"));
            ByteArrayOutputStream stream = new ByteArrayOutputStream(10_000);
            stream.write(new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0, 10);
            streams.add(stream);
        }
    }

    /** Leaves 400 values of 10,000 bytes behind in its thread: 4 MB. */
    static void deadThreadLocals() {
        for (int i = 0; i < 400; i++) {
            byte[] value = new byte[10_000];
            value[0] = (byte) i;
            value[1] = (byte) (i >> 8);
            value[2] = 1;
            new ThreadLocal<byte[]>().set(value);
        }
        synchronized (Contents.class) {
            Contents.class.notify();
        }
        try {
            Thread.sleep(100_000);
        } catch (InterruptedException e) {
            // ends with the program
        }
    }
}
