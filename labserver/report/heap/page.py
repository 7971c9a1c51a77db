def page_of(kept):
    return ""
