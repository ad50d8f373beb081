import java.util.*;

/** A list that grows, handed out as an unmodifiable view; the view is what has the static field. */
public class GrowingBehindAView {
    static class Entry extends Leak.Payload {
        Entry(int number) { super(number); }
    }
    static class Journal {
        private final List<Entry> entries = new ArrayList<>();
        private final List<Entry> view = Collections.unmodifiableList(entries);
        void append(Entry entry) { entries.add(entry); }
        List<Entry> entries() { return view; }
    }
    static final Journal JOURNAL = new Journal();
    static final List<Entry> ENTRIES = JOURNAL.entries();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) JOURNAL.append(new Entry(i));
        Leak.dump();
    }
}
