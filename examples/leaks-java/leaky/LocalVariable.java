import java.util.*;

/** A method that runs for ever collects into a local variable. */
public class LocalVariable {
    static class Line extends Leak.Payload {
        Line(int number) { super(number); }
    }

    static void tail() {
        List<Line> lines = new ArrayList<>();
        for (int i = 0; i < 4000; i++) lines.add(new Line(i));
        while (true) {
            Leak.park();
            lines.add(new Line(0));
        }
    }

    public static void main(String[] args) throws Exception {
        new Thread(LocalVariable::tail, "log-tailer").start();
        Leak.sleep(200);
        Leak.dump();
    }
}
