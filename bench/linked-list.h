/* A linked list that is searched and reversed, for the workloads in C of both benchmarks. KEY is the type of its keys. */
struct node {
  struct node *next;
  KEY key;
};

static NOINLINE KEY search(const struct node *list, KEY key) {
  KEY steps = 0;
  while (list && list->key != key) {
    list = list->next;
    steps++;
  }
  return steps;
}

static NOINLINE struct node *reverse(struct node *list) {
  struct node *done = 0;
  while (list) {
    struct node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}
