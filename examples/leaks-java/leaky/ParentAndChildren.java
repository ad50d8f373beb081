import java.util.*;

/** Nodes of a document with a list of children and a reference to their parent. */
public class ParentAndChildren {
    static class Element {
        final Element parent;
        final List<Element> children = new ArrayList<>(2);
        final byte[] text = new byte[100];
        Element(Element parent) { this.parent = parent; }
    }
    static final Element document = new Element(null);

    public static void main(String[] args) throws Exception {
        Deque<Element> todo = new ArrayDeque<>(List.of(document));
        for (int i = 0; i < 20_000; i++) {
            Element parent = todo.peek();
            Element child = new Element(parent);
            parent.children.add(child);
            todo.add(child);
            if (parent.children.size() == 3) todo.remove();
        }
        todo = null;
        Leak.dump();
    }
}
