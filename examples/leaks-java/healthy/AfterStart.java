/** A program that does hardly anything. */
public class AfterStart {
    public static void main(String[] args) throws Exception {
        Leak.dump();
    }
}
