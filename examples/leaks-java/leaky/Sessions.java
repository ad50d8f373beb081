import java.util.*;
import java.util.concurrent.*;

/** A session store as servlet containers have it; the attributes of the sessions are large. */
public class Sessions {
    static class Cart extends Leak.Payload {
        Cart(int number) { super(number); }
    }
    static class HttpSession {
        final String id = UUID.nameUUIDFromBytes(new byte[] {1}).toString();
        final Map<String, Object> attributes = new ConcurrentHashMap<>();
    }
    static class SessionManager {
        private final Map<String, HttpSession> sessions = new ConcurrentHashMap<>();
    }
    static class Server {
        static final Server INSTANCE = new Server();
        final SessionManager manager = new SessionManager();
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 1500; i++) {
            HttpSession session = new HttpSession();
            session.attributes.put("user", "user-" + i);
            session.attributes.put("locale", Locale.GERMANY);
            session.attributes.put("cart", new Cart(i));
            session.attributes.put("last", new Cart(i));
            Server.INSTANCE.manager.sessions.put("session-" + i, session);
        }
        Leak.dump();
    }
}
