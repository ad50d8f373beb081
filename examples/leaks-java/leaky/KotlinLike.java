import java.util.*;

/** A companion object and a lazy property, named as Kotlin names them. */
public class KotlinLike {
    static final class Snapshot extends Leak.Payload {
        Snapshot(int number) { super(number); }
    }
    static final class Companion {
        private final List<Snapshot> snapshots$delegate = new ArrayList<>();
    }
    public static final Companion Companion = new Companion();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) Companion.snapshots$delegate.add(new Snapshot(i));
        Leak.dump();
    }
}
