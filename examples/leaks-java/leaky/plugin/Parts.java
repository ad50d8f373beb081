package plugin;

/** A module of twenty classes that are alike; each of them keeps little. */
public class Parts {
    public static class State { final byte[] bytes = new byte[1000]; }
    public static class A { final State state = new State(); }
    public static class B { final State state = new State(); }
    public static class C { final State state = new State(); }
    public static class D { final State state = new State(); }
    public static class E { final State state = new State(); }
    public static class F { final State state = new State(); }
    public static class G { final State state = new State(); }
    public static class H { final State state = new State(); }
    public static class I { final State state = new State(); }
    public static class J { final State state = new State(); }
    public static class K { final State state = new State(); }
    public static class L { final State state = new State(); }
    public static class M { final State state = new State(); }
    public static class N { final State state = new State(); }
    public static class O { final State state = new State(); }
    public static class P { final State state = new State(); }
    public static class Q { final State state = new State(); }
    public static class R { final State state = new State(); }
    public static class S { final State state = new State(); }
    public static class T { final State state = new State(); }
    private Parts() {}
}
