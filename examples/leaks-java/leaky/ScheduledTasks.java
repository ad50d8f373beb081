import java.util.concurrent.*;

/** Each session schedules its own timeout and never cancels it. */
public class ScheduledTasks {
    static class Session extends Leak.Payload {
        Session(int number) { super(number); }
        void expire() {}
    }
    static final ScheduledExecutorService TIMEOUTS = Executors.newScheduledThreadPool(1);

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) TIMEOUTS.schedule(new Session(i)::expire, 8, TimeUnit.HOURS);
        Leak.dump();
    }
}
