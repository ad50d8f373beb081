import java.util.*;

/** A recursion that does not end soon, with a collection in every frame. */
public class DeepRecursion {
    static void descend(int depth) {
        List<byte[]> visited = new ArrayList<>();
        for (int i = 0; i < 5; i++) visited.add(new byte[1000]);
        if (depth == 0) Leak.park();
        else descend(depth - 1);
        visited.clear();
    }

    public static void main(String[] args) throws Exception {
        new Thread(() -> descend(900), "tree-walker").start();
        Leak.sleep(300);
        Leak.dump();
    }
}
