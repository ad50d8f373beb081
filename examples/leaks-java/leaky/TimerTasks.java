import java.util.*;

/** Tasks of a {@code java.util.Timer} that are never cancelled. */
public class TimerTasks {
    static class Reminder extends TimerTask {
        final byte[] text = new byte[1000];
        public void run() {}
    }
    static class Calendar {
        private final Timer timer = new Timer("reminders");
        void remind() { timer.schedule(new Reminder(), 8 * 3600 * 1000L, 3600 * 1000L); }
    }
    static final Calendar CALENDAR = new Calendar();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) CALENDAR.remind();
        Leak.dump();
    }
}
