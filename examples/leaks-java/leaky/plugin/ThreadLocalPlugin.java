package plugin;

/** Leaves an object of its own in a thread-local of the calling thread. */
public class ThreadLocalPlugin extends Plugin {
    static final ThreadLocal<ThreadLocalPlugin> CURRENT = new ThreadLocal<>();

    public ThreadLocalPlugin() {
        CURRENT.set(this);
    }
}
