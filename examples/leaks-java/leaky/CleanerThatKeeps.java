import java.lang.ref.Cleaner;

/** Cleaning actions that capture what they are to clean: nothing is ever cleaned. */
public class CleanerThatKeeps {
    static final Cleaner CLEANER = Cleaner.create();
    static class Handle extends Leak.Payload {
        Handle(int number) {
            super(number);
            CLEANER.register(this, () -> close());
        }
        void close() {}
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) new Handle(i);
        Leak.dump();
    }
}
