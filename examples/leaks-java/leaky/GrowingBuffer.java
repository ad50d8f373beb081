import java.io.*;

/** A protocol of everything that happened, in memory. */
public class GrowingBuffer {
    static class AuditLog {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();
        void write(String line) { out.writeBytes(line.getBytes()); }
    }
    static final AuditLog AUDIT = new AuditLog();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 400_000; i++) AUDIT.write("user " + i + " did something that had to be recorded\n");
        Leak.dump();
    }
}
