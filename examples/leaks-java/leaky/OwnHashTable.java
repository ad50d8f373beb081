/** A hash table of the program's own. */
public class OwnHashTable {
    static class Slot {
        final int key;
        final byte[] value = new byte[200];
        Slot next;
        Slot(int key, Slot next) { this.key = key; this.next = next; }
    }
    static class IntTable {
        private Slot[] slots = new Slot[4096];
        private int size;
        void put(int key) {
            int index = key & slots.length - 1;
            slots[index] = new Slot(key, slots[index]);
            size++;
        }
    }
    static final IntTable TABLE = new IntTable();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 15_000; i++) TABLE.put(i * 31);
        Leak.dump();
    }
}
