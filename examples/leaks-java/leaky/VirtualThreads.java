import java.util.*;

/** Virtual threads that wait for ever, each with a large local variable. Needs JDK 25: dumps of JDK 21
 * leave out what the stacks of waiting virtual threads refer to. */
public class VirtualThreads {
    static class Upload extends Leak.Payload {
        Upload(int number) { super(number); }
    }

    static void handle() {
        List<Upload> uploads = new ArrayList<>();
        for (int i = 0; i < 10; i++) uploads.add(new Upload(i));
        Leak.park();
        uploads.clear();
    }

    static final List<Thread> running = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        var start = Thread.class.getMethod("startVirtualThread", Runnable.class);
        for (int i = 0; i < 400; i++) {
            running.add((Thread) start.invoke(null, (Runnable) VirtualThreads::handle));
        }
        Leak.sleep(300);
        Leak.dump();
    }
}
