import java.util.*;

/** The constants of an enum collect. */
public enum EnumWithState {
    CREATED, PAID, SHIPPED;

    static class Transition extends Leak.Payload {
        Transition(int number) { super(number); }
    }

    private final List<Transition> transitions = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4500; i++) values()[i % 3].transitions.add(new Transition(i));
        Leak.dump();
    }
}
