import java.util.*;

/** Small inner objects keep the large outer ones that made them. */
public class InnerClass {
    final byte[] document = new byte[500_000];

    class Cursor {
        int position;
    }

    static class Editor {
        static final List<Cursor> cursors = new ArrayList<>();
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 10; i++) {
            InnerClass outer = new InnerClass();
            for (int k = 0; k < 30; k++) Editor.cursors.add(outer.new Cursor());
        }
        Leak.dump();
    }
}
