import java.util.*;

/** A subclass of Thread that collects into a field of its own. */
public class RunningThreadsField {
    static class Sample extends Leak.Payload {
        Sample(int number) { super(number); }
    }
    static class Sampler extends Thread {
        private final List<Sample> samples = new ArrayList<>();
        Sampler() { super("sampler"); }
        @Override
        public void run() {
            for (int i = 0; i < 4000; i++) samples.add(new Sample(i));
            Leak.park();
        }
    }

    public static void main(String[] args) throws Exception {
        new Sampler().start();
        Leak.sleep(200);
        Leak.dump();
    }
}
