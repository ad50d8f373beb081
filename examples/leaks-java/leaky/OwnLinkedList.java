/** A linked list of the program's own. */
public class OwnLinkedList {
    static class Change {
        final byte[] before = new byte[100];
        Change previous;
    }
    static class UndoHistory {
        Change last;
        void add(Change change) { change.previous = last; last = change; }
    }
    static final UndoHistory HISTORY = new UndoHistory();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 30_000; i++) HISTORY.add(new Change());
        Leak.dump();
    }
}
