package plugin;

/** Starts a thread that its undeployment does not stop. */
public class ThreadPlugin extends Plugin implements Runnable {
    static final byte[][] POLICY = CONFIGURATION;

    public ThreadPlugin() {
        new Thread(this, "plugin-poller").start();
    }

    public void run() {
        while (true) java.util.concurrent.locks.LockSupport.park();
    }
}
