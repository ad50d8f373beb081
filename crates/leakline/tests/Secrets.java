import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Puts a secret wherever a program may have one, leaks sessions, and dumps itself. */
public class Secrets {
    static final String LITERAL = "planted-literal-in-the-constant-pool";

    static final class Session {
        final String token;
        final char[] pin;
        final byte[] encoded;
        final long number = 0x5ec2_e75e_c2e7_5ec2L;

        Session(String token) {
            this.token = token;
            this.pin = token.toCharArray();
            this.encoded = Base64.getEncoder().encode(token.getBytes(StandardCharsets.UTF_8));
        }
    }

    static final Map<Integer, Session> sessions = new ConcurrentHashMap<>();

    public static void main(String[] arguments) throws Exception {
        // put together here, so that it is no literal
        String secret = String.join("-", "planted", "secret", "hunter2");
        System.setProperty("planted.property", secret);
        for (int i = 0; i < 20_000; i++) {
            sessions.put(i, new Session(secret + (i % 100 == 0 ? "" : i)));
        }
        sessions.put(-1, new Session(secret + "\u20ac"));
        Thread thread = new Thread(() -> {
            try {
                Thread.sleep(100_000);
            } catch (InterruptedException e) {
                // ends with the program
            }
        }, "keeper-of-names");
        thread.setDaemon(true);
        thread.start();
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
                .dumpHeap(arguments[0], true);
        System.exit(LITERAL.isEmpty() ? 1 : 0);
    }
}
