/** A binary tree of the program's own. */
public class OwnTree {
    static class Branch {
        final int key;
        final byte[] value = new byte[200];
        Branch left, right;
        Branch(int key) { this.key = key; }
        Branch insert(int key) {
            if (key < this.key) {
                if (left == null) left = new Branch(key); else left.insert(key);
            } else {
                if (right == null) right = new Branch(key); else right.insert(key);
            }
            return this;
        }
    }
    static final Branch ROOT = new Branch(1 << 30);

    public static void main(String[] args) throws Exception {
        java.util.Random random = new java.util.Random(1);
        for (int i = 0; i < 15_000; i++) ROOT.insert(random.nextInt(Integer.MAX_VALUE));
        Leak.dump();
    }
}
