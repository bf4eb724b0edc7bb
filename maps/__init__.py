"""Floor 5: what people see; folium maps from local assets, page texts, templates.

`city_map` draws a county on toggled layers, as a served page or as one file that opens with
no network; `texts` holds the words of both languages.
"""
