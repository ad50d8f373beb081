/** Fixed buffers: an array of events that is overwritten in turn, and large primitive arrays. */
public class RingBuffers {
    static class Tick extends Leak.Payload {
        Tick(int number) { super(number); }
    }
    static class Ring {
        private final Tick[] ticks;
        private int next;
        Ring(int capacity) { ticks = new Tick[capacity]; }
        void add(Tick tick) { ticks[next++ % ticks.length] = tick; }
    }
    static final Ring RING = new Ring(2048);

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 5000; i++) RING.add(new Tick(i));
        Leak.dump();
    }
}
