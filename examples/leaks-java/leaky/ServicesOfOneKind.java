import java.util.*;

/** Sixty services inherit the same field and each of them keeps a little there. */
public class ServicesOfOneKind {
    static class Audit extends Leak.Payload {
        Audit(int number) { super(number); }
    }
    abstract static class Service {
        final List<Audit> audits = new ArrayList<>();
    }
    static class Service1 extends Service {}
    static class Service2 extends Service {}
    static class Service3 extends Service {}
    static class Service4 extends Service {}
    static class Service5 extends Service {}
    static class Service6 extends Service {}
    static class Service7 extends Service {}
    static class Service8 extends Service {}
    static class Service9 extends Service {}
    static class Service10 extends Service {}
    static class Service11 extends Service {}
    static class Service12 extends Service {}
    static class Service13 extends Service {}
    static class Service14 extends Service {}
    static class Service15 extends Service {}
    static class Service16 extends Service {}
    static class Service17 extends Service {}
    static class Service18 extends Service {}
    static class Service19 extends Service {}
    static class Service20 extends Service {}
    static class Service21 extends Service {}
    static class Service22 extends Service {}
    static class Service23 extends Service {}
    static class Service24 extends Service {}

    static final List<Service> SERVICES = List.of(
            new Service1(), new Service2(), new Service3(), new Service4(), new Service5(), new Service6(),
            new Service7(), new Service8(), new Service9(), new Service10(), new Service11(), new Service12(),
            new Service13(), new Service14(), new Service15(), new Service16(), new Service17(), new Service18(),
            new Service19(), new Service20(), new Service21(), new Service22(), new Service23(), new Service24());

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4800; i++) SERVICES.get(i % 24).audits.add(new Audit(i));
        Leak.dump();
    }
}
