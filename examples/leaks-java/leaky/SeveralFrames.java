import java.util.*;

/** Two methods of one stack, each with a collection of its own. */
public class SeveralFrames {
    static class Page extends Leak.Payload {
        Page(int number) { super(number); }
    }
    static class Match extends Leak.Payload {
        Match(int number) { super(number); }
    }

    static void crawl() {
        Map<Integer, Page> pages = new HashMap<>();
        for (int i = 0; i < 3000; i++) pages.put(i, new Page(i));
        search(pages.size());
        pages.clear();
    }

    static void search(int pages) {
        Deque<Match> matches = new ArrayDeque<>();
        for (int i = 0; i < 2000; i++) matches.add(new Match(i));
        Leak.park();
        matches.clear();
    }

    public static void main(String[] args) throws Exception {
        new Thread(SeveralFrames::crawl, "crawler").start();
        Leak.sleep(200);
        Leak.dump();
    }
}
