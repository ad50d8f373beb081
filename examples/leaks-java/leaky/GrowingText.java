/** A text that only ever gets longer. */
public class GrowingText {
    static final StringBuilder REPORT = new StringBuilder();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 400_000; i++) REPORT.append("line ").append(i).append(" of a report without end\n");
        Leak.dump();
    }
}
