import java.util.logging.*;

/** A handler is added to a logger for each request. */
public class LoggerHandlers {
    static class RequestHandler extends Handler {
        final byte[] buffer = new byte[2000];
        public void publish(LogRecord record) {}
        public void flush() {}
        public void close() {}
    }
    static final Logger LOG = Logger.getLogger("requests");

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 2000; i++) LOG.addHandler(new RequestHandler());
        Leak.dump();
    }
}
